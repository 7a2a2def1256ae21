//! Libraries of the JVM that cannot work in a program that was translated before it runs, told by the names of their jars.

use std::path::PathBuf;

/// Beginnings of names of jars, and what a developer calls the library.
const LIBRARIES: [(&str, &str); 19] = [
    ("spring-", "Spring"),
    ("quarkus-", "Quarkus"),
    ("micronaut-", "Micronaut"),
    ("helidon-", "Helidon"),
    ("tomcat-embed-", "Tomcat"),
    ("jetty-server", "Jetty"),
    ("undertow-core", "Undertow"),
    ("netty-", "Netty"),
    ("vertx-core", "Vert.x"),
    ("hibernate-core", "Hibernate"),
    ("javalin", "Javalin"),
    ("jersey-", "Jersey"),
    ("resteasy-", "RESTEasy"),
    ("cxf-rt-frontend-jaxrs", "CXF"),
    ("javax.servlet-api", "javax.servlet"),
    ("javax.ws.rs-api", "javax.ws.rs"),
    ("ktor-server-", "Ktor"),
    ("http4s-", "http4s"),
    ("akka-actor", "Akka"),
];

/// The first of these libraries that is among the jars.
pub(super) fn find(jars: &[PathBuf]) -> Option<&'static str> {
    let is_one = |beginning: &str| {
        jars.iter().any(|jar| jar.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(beginning)))
    };
    LIBRARIES.iter().find(|(beginning, _)| is_one(beginning)).map(|(_, name)| *name)
}

/// What is said about one of them.
pub(super) fn sentence(library: &str) -> String {
    format!(
        "the app uses {library}, which cannot run here: Java is translated to WebAssembly before it runs, so there are no classes made or loaded at run time, reflection only where the translator sees it, no sockets and no threads of the operating system. Answer requests with servlets (jakarta.servlet, @WebServlet: the interfaces are enough, the platform is the container) with resources of JAX-RS (jakarta.ws.rs, @Path: the same) or with com.sun.net.httpserver.HttpServer, and leave {library} out of the dependencies"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spring_is_found_by_its_jars_and_named() {
        let jars = ["/m/gson-2.13.jar", "/m/spring-context-6.2.1.jar"].map(PathBuf::from);
        let found = find(&jars).unwrap();
        assert!(sentence(found).contains("uses Spring,") && sentence(found).contains("HttpServer"));
        assert_eq!(find(&jars[..1]), None);
    }
}
