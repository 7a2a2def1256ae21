import com.sun.net.httpserver.{HttpExchange, HttpServer}
import java.net.InetSocketAddress
import java.security.SecureRandom

type Route = (HttpExchange, String) => Unit

object Routes:
  private var count = 0
  private val random = SecureRandom()

  val all: List[(String, Route)] = List(
    "/" -> ((exchange, rest) =>
      if rest.isEmpty then exchange.text(200, "Hello from Scala on Virga\n") else exchange.text(404, "nothing here\n")),
    "/env/" -> ((exchange, name) =>
      Option(System.getenv(name)) match
        case Some(value) => exchange.text(200, value)
        case None => exchange.text(404, "not set")),
    "/echo" -> ((exchange, _) =>
      val body = exchange.getRequestBody.readAllBytes()
      exchange.sendResponseHeaders(200, if body.isEmpty then -1 else body.length)
      val out = exchange.getResponseBody
      out.write(body)
      out.close()),
    "/stream" -> ((exchange, _) =>
      exchange.sendResponseHeaders(200, 0)
      val out = exchange.getResponseBody
      for number <- 1 to 5 do
        out.write(s"chunk $number\n".getBytes)
        out.flush()
      out.close()),
    "/random" -> ((exchange, _) =>
      val bytes = new Array[Byte](12)
      random.nextBytes(bytes)
      exchange.text(200, bytes.map(byte => f"${byte & 0xff}%02x").mkString)),
    "/count" -> ((exchange, _) =>
      count += 1
      exchange.text(200, count.toString)),
  )

extension (exchange: HttpExchange)
  def text(status: Int, text: String): Unit =
    val body = text.getBytes("UTF-8")
    exchange.getResponseHeaders.set("Content-Type", "text/plain; charset=utf-8")
    exchange.sendResponseHeaders(status, body.length)
    val out = exchange.getResponseBody
    out.write(body)
    out.close()

object Main:
  def main(args: Array[String]): Unit =
    if args.nonEmpty then println(s"task done ${args.mkString(" ")}")
    else
      val port = sys.env.getOrElse("PORT", "8080").toInt
      val server = HttpServer.create(InetSocketAddress(port), 0)
      for (path, route) <- Routes.all do
        server.createContext(path, exchange =>
          println(s"${exchange.getRequestMethod} ${exchange.getRequestURI}")
          route(exchange, exchange.getRequestURI.getPath.stripPrefix(path)))
      server.start()
