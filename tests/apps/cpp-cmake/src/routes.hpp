#pragma once

#include <functional>
#include <map>
#include <string>
#include <virga_http.h>

// Actions by method and path; a path that ends in "/*" stands for all that begin so.
class Routes {
public:
    using Action = std::function<void(virga_request *, virga_response *, const std::string &rest)>;

    void add(const std::string &method, const std::string &path, Action action);
    void answer(virga_request *request, virga_response *response) const;

private:
    std::map<std::string, Action> actions_;
};

void text(virga_response *response, unsigned status, const std::string &body);
