package virga.servlet;

import jakarta.servlet.AsyncContext;
import jakarta.servlet.ServletConnection;
import jakarta.servlet.ServletRequest;
import jakarta.servlet.ServletResponse;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import jakarta.servlet.http.HttpUpgradeHandler;
import java.security.Principal;

/** What of a request is the same for all of them here, much of it refused. */
abstract class BareCall extends Attributes implements HttpServletRequest {
    @Override
    public String getAuthType() {
        return null;
    }

    @Override
    public String getPathTranslated() {
        return null;
    }

    @Override
    public String getContextPath() {
        return "";
    }

    @Override
    public String getRemoteUser() {
        return null;
    }

    @Override
    public boolean isUserInRole(String role) {
        return false;
    }

    @Override
    public Principal getUserPrincipal() {
        return null;
    }

    @Override
    public boolean isRequestedSessionIdFromURL() {
        return false;
    }

    @Override
    public boolean authenticate(HttpServletResponse response) {
        throw Context.no("HttpServletRequest.authenticate");
    }

    @Override
    public void login(String user, String password) {
        throw Context.no("HttpServletRequest.login");
    }

    @Override
    public void logout() {
        throw Context.no("HttpServletRequest.logout");
    }

    @Override
    public <T extends HttpUpgradeHandler> T upgrade(Class<T> type) {
        throw Context.no("HttpServletRequest.upgrade");
    }

    @Override
    public String getProtocol() {
        return "HTTP/1.1";
    }

    @Override
    public int getRemotePort() {
        return 0;
    }

    @Override
    public String getLocalAddr() {
        return "127.0.0.1";
    }

    @Override
    public AsyncContext startAsync() {
        throw new IllegalStateException("asynchronous answers are not there: write the answer in the thread of the request");
    }

    @Override
    public AsyncContext startAsync(ServletRequest given, ServletResponse response) {
        return startAsync();
    }

    @Override
    public boolean isAsyncStarted() {
        return false;
    }

    @Override
    public boolean isAsyncSupported() {
        return false;
    }

    @Override
    public AsyncContext getAsyncContext() {
        throw new IllegalStateException("the request is not asynchronous");
    }

    @Override
    public String getProtocolRequestId() {
        return "";
    }

    @Override
    public ServletConnection getServletConnection() {
        throw Context.no("ServletRequest.getServletConnection");
    }
}
