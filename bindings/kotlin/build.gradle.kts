// Makes the AAR from what bindings/scripts/build-android put into build/sidetone. The same sources are built and tested on a
// desk's JVM by pom.xml.
plugins {
    id("com.android.library") version "8.13.0"
    id("org.jetbrains.kotlin.android") version "2.2.20"
    `maven-publish`
}

group = "org.sidetone"
version = "0.1.0"

android {
    namespace = "org.sidetone"
    compileSdk = 36
    defaultConfig {
        minSdk = 24
        consumerProguardFiles("consumer-rules.pro")
        ndk { abiFilters += listOf("arm64-v8a", "armeabi-v7a", "x86_64") }
    }
    sourceSets["main"].apply {
        manifest.srcFile("src/main/AndroidManifest.xml")
        // The last for Android alone: compiled on a desk with android-sample.
        kotlin.srcDirs("src/main/kotlin", "build/sidetone/kotlin", "devices/src/main/kotlin")
        jniLibs.srcDirs("build/sidetone/jniLibs")
    }
    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_17
        targetCompatibility = JavaVersion.VERSION_17
    }
    // The libraries come stripped; their symbols are kept beside the AAR.
    packaging { jniLibs.keepDebugSymbols += "**/*.so" }
    publishing { singleVariant("release") { withSourcesJar() } }
}

kotlin { explicitApi = org.jetbrains.kotlin.gradle.dsl.ExplicitApiMode.Disabled }

dependencies {
    api("org.jetbrains.kotlinx:kotlinx-coroutines-core:1.11.0")
    // From 5.17 on its libraries are aligned for 16 KB pages.
    implementation("net.java.dev.jna:jna:5.19.1@aar")
}

publishing {
    publications {
        register<MavenPublication>("release") {
            artifactId = "sidetone"
            afterEvaluate { from(components["release"]) }
        }
    }
    repositories { maven { name = "folder"; url = uri(layout.buildDirectory.dir("repository")) } }
}
