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
async fn resources_need_no_main() {
    let platform = Platform::new();
    let first = staged(&platform, platform.sample("java-jaxrs", &[]).await).await;
    assert_eq!((first.guest, first.process_types.get("web").map(String::as_str)), (GuestKind::HttpP2, Some("java VirgaWeb")));

    // The calls are written while the app is built: in other folders they are the same.
    let other = Platform::new();
    let again = staged(&other, other.sample("java-jaxrs", &[]).await).await;
    assert_eq!(again.droplet, first.droplet);
}

/// A resource with this method.
fn resource(method: &str) -> String {
    format!("package shop; import jakarta.ws.rs.*; import jakarta.ws.rs.core.*; @Path(\"/\") public class Shop {{ {method} }}")
}

#[tokio::test]
async fn what_resources_cannot_have_is_told_by_name() {
    let platform = Platform::new();
    for (method, expected) in [
        (
            "@GET public String a(@MatrixParam(\"m\") String m) { return m; }",
            "shop.Shop uses jakarta.ws.rs.MatrixParam, which is not there",
        ),
        ("@GET public void a(@jakarta.ws.rs.container.Suspended Object later) { }", "shop.Shop uses jakarta.ws.rs.container.Suspended"),
        ("@GET public Object a() { return jakarta.ws.rs.client.ClientBuilder.newClient(); }", "shop.Shop uses jakarta.ws.rs.client."),
        (
            "@GET public java.util.concurrent.CompletionStage<String> a() { return null; }",
            "shop.Shop.a answers with a java.util.concurrent",
        ),
        (
            "@GET public String a(@QueryParam(\"q\") Runtime r) { return null; }",
            "shop.Shop.a asks for a java.lang.Runtime, which cannot be made",
        ),
        ("@POST public String a(String one, String two) { return one; }", "shop.Shop.a takes two bodies"),
        ("@POST public String a(Thread t) { return null; }", "shop.Shop.a takes a body as java.lang.Thread"),
        (
            "public static class Item { public Thread runs; } @POST public String a(Item item) { return null; }",
            "'runs' of shop.Shop.Item is a java.lang.Thread, which cannot be read from JSON",
        ),
        ("@Path(\"x\") public Object a() { return this; }", "shop.Shop.a gives a sub-resource as java.lang.Object"),
        ("@Path(\"x\") public Shop a() { return this; }", "shop.Shop has sub-resources that are nested more than"),
        ("private Shop(int n) { } @GET public String a() { return null; }", "shop.Shop cannot be made: it needs a constructor"),
    ] {
        let error = refused(&platform, &[("Shop.java", resource(method).as_bytes())]).await;
        assert!(error.message.contains("the log above"), "{method}: {error}");
        assert!(platform.lines.text().contains(expected), "{method}: {}", platform.lines.text());
    }
    let source = resource("");
    let page: [(&str, &[u8]); 2] = [("Shop.java", source.as_bytes()), ("src/main/webapp/old/cart.jsp", b"<%= 1 %>")];
    let error = refused(&platform, &page).await;
    assert!(error.message.contains("the app has the JSP old/cart.jsp"), "{error}");
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
