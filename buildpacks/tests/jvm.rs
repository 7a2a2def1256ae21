//! Real stagings of the sample apps in the JVM's languages, with the real toolchain.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "test code")]

mod harness;

use harness::Platform;
use std::time::Duration;
use virga_contract::staging::{StagedDroplet, Stager as _, StagingError, StagingRequest};
use virga_model::{droplet::GuestKind, process::ReusePolicy};

async fn staged(platform: &Platform, mut request: StagingRequest) -> StagedDroplet {
    // Half a minute of work: a machine that does much else may take many times that.
    request.timeout = Duration::from_secs(1200);
    let result = platform.service.stage(request).await;
    let staged = result.unwrap_or_else(|error| panic!("{error}\n{}", platform.lines.text()));
    println!("{:?} {} bytes {:?}", staged.buildpacks, staged.size_bytes, staged.steps);
    staged
}

async fn refused(platform: &Platform, files: &[(&str, &[u8])]) -> StagingError {
    let mut request = platform.package(files).await;
    request.timeout = Duration::from_secs(1200);
    platform.service.stage(request).await.unwrap_err()
}

#[tokio::test]
async fn java_apps_become_components() {
    let platform = Platform::new();
    let request = platform.sample("java-httpserver", &[]).await;
    let first = staged(&platform, request).await;
    let (droplet, files) = platform.droplet(first.droplet).await;
    let manifest = droplet.manifest();
    assert_eq!((manifest.guest, manifest.reuse), (GuestKind::HttpP2, ReusePolicy::Pool));
    assert_eq!(first.process_types.get("web").map(String::as_str), Some("java Main"));
    assert!(manifest.software.iter().any(|software| software.name == "teavm"), "{:?}", manifest.software);
    assert_eq!(files, ["README.md"]);

    // The same package in other folders, translated anew: the same bytes.
    let other = Platform::new();
    let again = staged(&other, other.sample("java-httpserver", &[]).await).await;
    assert_eq!(again.droplet, first.droplet);
}

#[tokio::test]
async fn servlets_need_no_main() {
    let platform = Platform::new();
    let droplet = staged(&platform, platform.sample("java-servlet", &[]).await).await;
    assert_eq!(droplet.guest, GuestKind::HttpP2);
    assert_eq!(droplet.process_types.get("web").map(String::as_str), Some("java VirgaWeb"));

    // Declared in the file of a web app, without any build file.
    let servlet = b"package shop; public class Cart extends jakarta.servlet.http.HttpServlet { }";
    let declared = br#"<web-app><servlet><servlet-name>cart</servlet-name><servlet-class>shop.Cart</servlet-class></servlet>
        <servlet-mapping><servlet-name>cart</servlet-name><url-pattern>/cart/*</url-pattern></servlet-mapping></web-app>"#;
    let sources: [(&str, &[u8]); 2] = [("src/main/java/shop/Cart.java", servlet), ("src/main/webapp/WEB-INF/web.xml", declared)];
    assert_eq!(staged(&platform, platform.package(&sources).await).await.guest, GuestKind::HttpP2);

    let hidden =
        b"@jakarta.servlet.annotation.WebServlet(\"/\") class Hidden extends jakarta.servlet.http.HttpServlet { private Hidden() { } }";
    let error = refused(&platform, &[("Hidden.java", hidden)]).await;
    assert!(error.message.contains("the log above"), "{error}");
    assert!(platform.lines.text().contains("must be a public class with a public constructor"), "{}", platform.lines.text());
}

#[tokio::test]
async fn kotlin_comes_to_the_same() {
    let platform = Platform::new();
    let droplet = staged(&platform, platform.sample("kotlin-httpserver", &[]).await).await;
    assert_eq!(droplet.guest, GuestKind::HttpP2);
    assert_eq!(droplet.buildpacks.first().map(|used| used.name.as_str()), Some("kotlin"));
    assert_eq!(droplet.process_types.get("web").map(String::as_str), Some("java MainKt"));

    // Java and Kotlin that use each other, below a build file of Gradle's.
    let sources: [(&str, &[u8]); 4] = [
        ("build.gradle.kts", b"plugins { kotlin(\"jvm\") }\ndependencies {\n    implementation(kotlin(\"stdlib\"))\n}\n"),
        ("src/main/kotlin/Main.kt", b"fun name() = \"rain\"\nfun main() = println(Drop().said())\n"),
        ("src/main/java/Drop.java", b"public class Drop { public String said() { return MainKt.name(); } }"),
        ("Procfile", b"worker: java MainKt\n"),
    ];
    let droplet = staged(&platform, platform.package(&sources).await).await;
    assert_eq!(droplet.guest, GuestKind::Command);

    let error = refused(&platform, &[("Main.kt", b"fun main() { wrong }")]).await;
    assert!(error.message.contains("the Kotlin compiler could not compile"), "{error}");
    assert!(platform.lines.text().contains("Main.kt:1"), "{}", platform.lines.text());
}

#[tokio::test]
async fn scala_comes_to_the_same() {
    let platform = Platform::new();
    let droplet = staged(&platform, platform.sample("scala-httpserver", &[]).await).await;
    assert_eq!(droplet.guest, GuestKind::HttpP2);
    assert_eq!(droplet.buildpacks.first().map(|used| used.name.as_str()), Some("scala"));
    assert_eq!(droplet.process_types.get("web").map(String::as_str), Some("java Main"));
}

#[tokio::test]
async fn what_java_cannot_do_here_is_told() {
    let platform = Platform::new();
    let error = refused(&platform, &[("Main.java", b"public class Main { public static void main(String[] a) { wrong } }")]).await;
    assert!(error.message.contains("javac could not compile"), "{error}");
    assert!(platform.lines.text().contains("Main.java:1"), "{}", platform.lines.text());

    let error = refused(&platform, &[("Main.java", b"public class Main { void none() { } }")]).await;
    assert!(error.message.contains("main class could not be found"), "{error}");

    let sockets = b"public class Main { public static void main(String[] a) throws Exception { new java.net.ServerSocket(80).accept(); } }";
    let error = refused(&platform, &[("Main.java", sockets)]).await;
    assert!(error.message.contains("beginning from Main"), "{error}");
    assert!(platform.lines.text().contains("java.net.ServerSocket"), "{}", platform.lines.text());

    let error = refused(&platform, &[("META-INF/MANIFEST.MF", b"Main-Class: a.B\n"), ("BOOT-INF/classes/a/B.class", b"")]).await;
    assert!(error.message.contains("uses Spring Boot, which cannot run here"), "{error}");
}
