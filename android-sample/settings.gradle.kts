pluginManagement {
    repositories {
        google()
        mavenCentral()
        gradlePluginPortal()
    }
}
dependencyResolutionManagement {
    repositories {
        google()
        mavenCentral()
        // The Sidetone package, as bindings/scripts/build-android and Gradle's publish leave it.
        maven("../bindings/kotlin/build/repository")
    }
}
rootProject.name = "sidetone-sample"
include(":app")
