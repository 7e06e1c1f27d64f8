// The same sources are built and tested on a desk's JVM by ../pom.xml, all but the activity beside this file.
plugins {
    id("com.android.application") version "8.13.0"
    id("org.jetbrains.kotlin.android") version "2.2.20"
    id("org.jetbrains.kotlin.plugin.compose") version "2.2.20"
}

android {
    namespace = "org.sidetone.sample"
    compileSdk = 36
    defaultConfig {
        applicationId = "org.sidetone.sample"
        minSdk = 24
        targetSdk = 36
        versionCode = 1
        versionName = "0.1.0"
    }
    sourceSets["main"].kotlin.srcDirs("../logic/src/main/kotlin", "../ui/src/main/kotlin", "../platform/src/main/kotlin")
    buildFeatures { compose = true }
    buildTypes {
        release {
            isMinifyEnabled = true
            isShrinkResources = true
            proguardFiles(getDefaultProguardFile("proguard-android-optimize.txt"))
        }
    }
    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_17
        targetCompatibility = JavaVersion.VERSION_17
    }
    // Every text is there in every language, and nothing is left out by mistake.
    lint { error += setOf("MissingTranslation", "ExtraTranslation", "HardcodedText") }
}

dependencies {
    implementation("org.sidetone:sidetone:0.1.0")
    implementation(platform("androidx.compose:compose-bom:2025.09.00"))
    implementation("androidx.activity:activity-compose:1.11.0")
    implementation("androidx.compose.material3:material3")
    implementation("androidx.compose.ui:ui")
    implementation("com.google.zxing:core:3.5.4")
}
