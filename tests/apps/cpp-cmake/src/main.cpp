#include "routes.hpp"

#include <cstdlib>
#include <iostream>
#include <random>
#include <sstream>
#include <vector>

namespace {

void echo(virga_request *request, virga_response *response, const std::string &) {
    const char *type = virga_header_of(request, "content-type");
    virga_set_header(response, "content-type", type ? type : "application/octet-stream");
    std::vector<char> piece(16 << 10);
    for (ssize_t got; (got = virga_read(request, piece.data(), piece.size())) > 0;)
        if (virga_write(response, piece.data(), static_cast<size_t>(got))) return;
}

void stream(virga_request *, virga_response *response, const std::string &) {
    virga_set_header(response, "content-type", "text/plain; charset=utf-8");
    for (int i = 1; i <= 5; i++) {
        virga_printf(response, "chunk %d\n", i);
        virga_flush(response);
    }
}

std::string digits() {
    std::random_device device;
    std::ostringstream out;
    out << std::hex;
    for (int i = 0; i < 32; i++) out << (device() & 15);
    return out.str();
}

Routes make_routes() {
    Routes routes;
    routes.add("GET", "/", [](auto, auto response, auto &) { text(response, 200, "Hello from C++ on Virga\n"); });
    routes.add("GET", "/env/*", [](auto, auto response, auto &name) {
        const char *value = std::getenv(name.c_str());
        text(response, value ? 200 : 404, value ? value : "no such variable\n");
    });
    routes.add("POST", "/echo", echo);
    routes.add("GET", "/stream", stream);
    routes.add("GET", "/random", [](auto, auto response, auto &) { text(response, 200, digits() + "\n"); });
    routes.add("GET", "/count", [count = 0](auto, auto response, auto &) mutable { text(response, 200, std::to_string(++count) + "\n"); });
    return routes;
}

// Made before the first request, as any object of a program.
const Routes routes = make_routes();

}  // namespace

void virga_handle(virga_request *request, virga_response *response) {
    std::cout << request->method << ' ' << request->target << std::endl;
    routes.answer(request, response);
}

int main(int count, char **words) {
    std::cout << "task done";
    for (int i = 1; i < count; i++) std::cout << ' ' << words[i];
    std::cout << std::endl;
}
