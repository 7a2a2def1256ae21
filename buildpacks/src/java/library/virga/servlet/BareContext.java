package virga.servlet;

import jakarta.servlet.Filter;
import jakarta.servlet.FilterRegistration;
import jakarta.servlet.RequestDispatcher;
import jakarta.servlet.Servlet;
import jakarta.servlet.ServletContext;
import jakarta.servlet.ServletRegistration;
import jakarta.servlet.SessionCookieConfig;
import jakarta.servlet.SessionTrackingMode;
import jakarta.servlet.descriptor.JspConfigDescriptor;
import java.util.Collections;
import java.util.EventListener;
import java.util.Map;
import java.util.Set;

/** What of a context is the same for every app here: mostly what would register, load or look up classes at run time, and is refused. */
abstract class BareContext extends Attributes implements ServletContext {
    @Override
    public String getContextPath() {
        return "";
    }

    @Override
    public ServletContext getContext(String path) {
        return this;
    }

    @Override
    public int getMajorVersion() {
        return 6;
    }

    @Override
    public int getMinorVersion() {
        return 1;
    }

    @Override
    public int getEffectiveMajorVersion() {
        return 6;
    }

    @Override
    public int getEffectiveMinorVersion() {
        return 1;
    }

    @Override
    public RequestDispatcher getNamedDispatcher(String name) {
        throw no("ServletContext.getNamedDispatcher");
    }

    @Override
    public String getRealPath(String path) {
        return null;
    }

    @Override
    public String getServerInfo() {
        return "Virga/1";
    }

    @Override
    public String getServletContextName() {
        return "";
    }

    @Override
    public ServletRegistration.Dynamic addServlet(String name, String className) {
        throw no("ServletContext.addServlet by the name of a class");
    }

    @Override
    public ServletRegistration.Dynamic addServlet(String name, Servlet servlet) {
        throw no("ServletContext.addServlet");
    }

    @Override
    public ServletRegistration.Dynamic addServlet(String name, Class<? extends Servlet> type) {
        throw no("ServletContext.addServlet");
    }

    @Override
    public ServletRegistration.Dynamic addJspFile(String name, String file) {
        throw no("JSP");
    }

    @Override
    public <T extends Servlet> T createServlet(Class<T> type) {
        throw no("ServletContext.createServlet");
    }

    @Override
    public ServletRegistration getServletRegistration(String name) {
        return null;
    }

    @Override
    public Map<String, ? extends ServletRegistration> getServletRegistrations() {
        return Collections.emptyMap();
    }

    @Override
    public FilterRegistration.Dynamic addFilter(String name, String className) {
        throw no("ServletContext.addFilter by the name of a class");
    }

    @Override
    public FilterRegistration.Dynamic addFilter(String name, Filter filter) {
        throw no("ServletContext.addFilter");
    }

    @Override
    public FilterRegistration.Dynamic addFilter(String name, Class<? extends Filter> type) {
        throw no("ServletContext.addFilter");
    }

    @Override
    public <T extends Filter> T createFilter(Class<T> type) {
        throw no("ServletContext.createFilter");
    }

    @Override
    public FilterRegistration getFilterRegistration(String name) {
        return null;
    }

    @Override
    public Map<String, ? extends FilterRegistration> getFilterRegistrations() {
        return Collections.emptyMap();
    }

    @Override
    public SessionCookieConfig getSessionCookieConfig() {
        throw no("configuring the cookie of sessions");
    }

    @Override
    public void setSessionTrackingModes(Set<SessionTrackingMode> modes) {
        throw no("another way to track sessions than the cookie");
    }

    @Override
    public Set<SessionTrackingMode> getDefaultSessionTrackingModes() {
        return Collections.emptySet();
    }

    @Override
    public Set<SessionTrackingMode> getEffectiveSessionTrackingModes() {
        return Collections.emptySet();
    }

    @Override
    public void addListener(String className) {
        throw no("ServletContext.addListener");
    }

    @Override
    public <T extends EventListener> void addListener(T listener) {
        throw no("ServletContext.addListener");
    }

    @Override
    public void addListener(Class<? extends EventListener> type) {
        throw no("ServletContext.addListener");
    }

    @Override
    public <T extends EventListener> T createListener(Class<T> type) {
        throw no("ServletContext.createListener");
    }

    @Override
    public JspConfigDescriptor getJspConfigDescriptor() {
        return null;
    }

    @Override
    public ClassLoader getClassLoader() {
        return ClassLoader.getSystemClassLoader();
    }

    @Override
    public void declareRoles(String... names) {
        throw no("a role");
    }

    @Override
    public String getVirtualServerName() {
        return "virga";
    }
}
