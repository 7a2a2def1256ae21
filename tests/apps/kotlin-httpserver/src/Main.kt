import com.sun.net.httpserver.HttpExchange
import com.sun.net.httpserver.HttpServer
import java.net.InetSocketAddress
import java.security.SecureRandom

private var count = 0
private val random = SecureRandom()

/** What answers a path, given what follows it. */
private typealias Route = (HttpExchange, String) -> Unit

private val routes: Map<String, Route> = mapOf(
    "/" to { exchange, rest ->
        if (rest.isEmpty()) exchange.text(200, "Hello from Kotlin on Virga\n") else exchange.text(404, "nothing here\n")
    },
    "/env/" to { exchange, name ->
        val value = System.getenv(name)
        exchange.text(if (value == null) 404 else 200, value ?: "not set")
    },
    "/echo" to { exchange, _ ->
        val body = exchange.requestBody.readBytes()
        exchange.sendResponseHeaders(200, if (body.isEmpty()) -1 else body.size.toLong())
        exchange.responseBody.use { it.write(body) }
    },
    "/stream" to { exchange, _ ->
        exchange.sendResponseHeaders(200, 0)
        exchange.responseBody.use { out ->
            (1..5).forEach {
                out.write("chunk $it\n".toByteArray())
                out.flush()
            }
        }
    },
    "/random" to { exchange, _ ->
        val bytes = ByteArray(12).also(random::nextBytes)
        exchange.text(200, bytes.joinToString("") { "%02x".format(it.toInt() and 0xff) })
    },
    "/count" to { exchange, _ -> exchange.text(200, (++count).toString()) },
)

private fun HttpExchange.text(status: Int, text: String) {
    val body = text.toByteArray()
    responseHeaders.set("Content-Type", "text/plain; charset=utf-8")
    sendResponseHeaders(status, body.size.toLong())
    responseBody.use { it.write(body) }
}

fun main(args: Array<String>) {
    if (args.isNotEmpty()) {
        println("task done ${args.joinToString(" ")}")
        return
    }
    val server = HttpServer.create(InetSocketAddress(System.getenv("PORT")?.toInt() ?: 8080), 0)
    for ((path, route) in routes) {
        server.createContext(path) { exchange ->
            println("${exchange.requestMethod} ${exchange.requestURI}")
            route(exchange, exchange.requestURI.path.removePrefix(path))
        }
    }
    server.start()
}
