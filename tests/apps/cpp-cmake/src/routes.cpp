#include "routes.hpp"

void text(virga_response *response, unsigned status, const std::string &body) {
    virga_set_status(response, status);
    virga_set_header(response, "content-type", "text/plain; charset=utf-8");
    virga_write(response, body.data(), body.size());
}

void Routes::add(const std::string &method, const std::string &path, Action action) {
    actions_[method + " " + path] = std::move(action);
}

void Routes::answer(virga_request *request, virga_response *response) const {
    const std::string path = request->path;
    const std::string wanted = std::string(request->method) + " " + path;
    if (const auto found = actions_.find(wanted); found != actions_.end()) {
        found->second(request, response, "");
        return;
    }
    const auto slash = wanted.rfind('/');
    if (const auto found = actions_.find(wanted.substr(0, slash) + "/*"); found != actions_.end()) {
        found->second(request, response, wanted.substr(slash + 1));
        return;
    }
    text(response, 404, "404: nothing at " + path + "\n");
}
