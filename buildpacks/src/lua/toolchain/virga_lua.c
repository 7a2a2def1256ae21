/*
 * Lua in a component: one Lua state for the life of the instance. Requests go through bridge.lua to the app in VIRGA_LUA_APP;
 * `lua FILE words` and `lua -e CODE words`, as a worker's or task's command, run in main.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lua.h"
#include "lualib.h"
#include "lauxlib.h"
#include "virga_http.h"

static const char BRIDGE[] = {
#embed "bridge.lua"
    , 0};

/* Modules of the app at the top, and as `luarocks --tree lua_modules` puts them. */
#define MODULES "/?.lua;/?/init.lua;/src/?.lua;/src/?/init.lua;/lua_modules/share/lua/5.4/?.lua;/lua_modules/share/lua/5.4/?/init.lua"

/* What WASI has not and Lua's os library asks for. */
int system(const char *command) {
    if (command == NULL) return 0;
    errno = ENOSYS;
    return -1;
}

char *tmpnam(char *name) {
    (void)name;
    errno = ENOSYS;
    return NULL;
}

FILE *tmpfile(void) {
    errno = ENOSYS;
    return NULL;
}

static virga_request *now_asked;
static virga_response *now_answered;
static int has_written;

static int on_read(lua_State *L) {
    lua_Integer size = luaL_checkinteger(L, 1);
    if (size > 65536) size = 65536;
    luaL_argcheck(L, size > 0, 1, "a number above 0");
    if (now_asked == NULL) return luaL_error(L, "the request is over");
    luaL_Buffer buffer;
    char *into = luaL_buffinitsize(L, &buffer, (size_t)size);
    ssize_t got = virga_read(now_asked, into, (size_t)size);
    if (got < 0) return luaL_error(L, "the client went away before its request was whole");
    if (got == 0) return 0;
    luaL_pushresultsize(&buffer, (size_t)got);
    return 1;
}

static virga_response *answered(lua_State *L) {
    if (now_answered == NULL) luaL_error(L, "the request is over");
    return now_answered;
}

static int on_status(lua_State *L) {
    if (virga_set_status(answered(L), (unsigned)luaL_checkinteger(L, 1)) != 0) return luaL_error(L, "this status cannot be sent");
    return 0;
}

static int on_header(lua_State *L) {
    size_t name_length, value_length;
    const char *name = luaL_checklstring(L, 1, &name_length), *value = luaL_checklstring(L, 2, &value_length);
    if (virga_add_header(answered(L), name, name_length, value, value_length) != 0)
        return luaL_error(L, "the header '%s' cannot be sent", name);
    return 0;
}

static int on_write(lua_State *L) {
    size_t length;
    const char *bytes = luaL_checklstring(L, 1, &length);
    has_written = 1;
    if (virga_write(answered(L), bytes, length) != 0) return luaL_error(L, "the client has gone");
    return 0;
}

static int on_flush(lua_State *L) {
    if (virga_flush(answered(L)) != 0) return luaL_error(L, "the client has gone");
    return 0;
}

static const luaL_Reg FUNCTIONS[] = {
    {"read", on_read}, {"status", on_status}, {"header", on_header}, {"write", on_write}, {"flush", on_flush}, {NULL, NULL}};

static int with_traceback(lua_State *L) {
    const char *message = lua_tostring(L, 1);
    luaL_traceback(L, L, message != NULL ? message : luaL_tolstring(L, 1, NULL), 1);
    return 1;
}

/* math.random would begin with the second and an address, which two instances have in common. */
static void seed_random(lua_State *L) {
    lua_Integer seeds[2] = {0, 0};
    (void)getentropy(seeds, sizeof seeds);
    lua_getglobal(L, "math");
    lua_getfield(L, -1, "randomseed");
    lua_pushinteger(L, seeds[0]);
    lua_pushinteger(L, seeds[1]);
    lua_call(L, 2, 0);
    lua_pop(L, 1);
}

static lua_State *new_state(void) {
    lua_State *L = luaL_newstate();
    if (L == NULL) {
        fputs("Lua found no memory to start in\n", stderr);
        exit(1);
    }
    luaL_openlibs(L);
    lua_getglobal(L, "package");
    lua_pushliteral(L, MODULES);
    lua_setfield(L, -2, "path");
    lua_pushliteral(L, "");
    lua_setfield(L, -2, "cpath");
    lua_pop(L, 1);
    seed_random(L);
    return L;
}

/* Whether the app is loaded; its handler is then a value of the registry. */
static int load_app(lua_State *L) {
    const char *app = getenv("VIRGA_LUA_APP");
    lua_pushcfunction(L, with_traceback);
    int status = luaL_loadbuffer(L, BRIDGE, sizeof BRIDGE - 1, "=bridge");
    if (status == LUA_OK) {
        luaL_newlib(L, FUNCTIONS);
        lua_pushstring(L, app != NULL ? app : "/app.lua");
        status = lua_pcall(L, 2, 1, -4);
    }
    if (status == LUA_OK) {
        lua_setfield(L, LUA_REGISTRYINDEX, "virga.handler");
    } else {
        fprintf(stderr, "%s\n", lua_tostring(L, -1));
    }
    lua_settop(L, 0);
    return status == LUA_OK;
}

static void set(lua_State *L, const char *name, const char *value) {
    lua_pushstring(L, value);
    lua_setfield(L, -2, name);
}

/* In a protected call, since any of it may find no memory. */
static int handle(lua_State *L) {
    const virga_request *request = now_asked;
    lua_getfield(L, LUA_REGISTRYINDEX, "virga.handler");
    lua_newtable(L);
    set(L, "method", request->method);
    set(L, "target", request->target);
    set(L, "path", request->path);
    set(L, "query", request->query);
    set(L, "scheme", request->scheme);
    set(L, "authority", request->authority);
    lua_createtable(L, (int)request->header_count, 0);
    for (size_t at = 0; at < request->header_count; at++) {
        lua_createtable(L, 2, 0);
        lua_pushstring(L, request->headers[at].name);
        lua_rawseti(L, -2, 1);
        lua_pushlstring(L, request->headers[at].value, request->headers[at].value_length);
        lua_rawseti(L, -2, 2);
        lua_rawseti(L, -2, (lua_Integer)at + 1);
    }
    lua_setfield(L, -2, "headers");
    lua_call(L, 1, 0);
    return 0;
}

static void fail(void) {
    if (!has_written) {
        virga_set_status(now_answered, 500);
        virga_set_header(now_answered, "content-type", "text/plain; charset=utf-8");
        virga_print(now_answered, "Internal Server Error\n");
    }
}

void virga_handle(virga_request *request, virga_response *response) {
    static lua_State *L;
    static int is_loaded;
    now_asked = request;
    now_answered = response;
    has_written = 0;
    if (L == NULL) L = new_state();
    if (!is_loaded) is_loaded = load_app(L);
    if (!is_loaded) {
        fail();
    } else {
        lua_pushcfunction(L, with_traceback);
        lua_pushcfunction(L, handle);
        if (lua_pcall(L, 0, 0, 1) != LUA_OK) {
            fprintf(stderr, "%s\n", lua_tostring(L, -1));
            fail();
        }
        lua_settop(L, 0);
    }
    now_asked = NULL;
    now_answered = NULL;
    fflush(stdout);
}

static int usage(const char *what) {
    fprintf(stderr, "%s; write for example: lua work.lua\n", what);
    return 1;
}

int main(int count, char **words) {
    int at = 0;
    const char *program = count > 0 ? strrchr(words[0], '/') : NULL;
    program = program != NULL ? program + 1 : count > 0 ? words[0] : "";
    size_t length = strlen(program);
    if (strncmp(program, "lua", 3) == 0 && strchr(program, '.') == NULL) {
        at = 1;
    } else if (strcmp(program, "lua5.4") == 0) {
        at = 1;
    } else if (length < 4 || strcmp(program + length - 4, ".lua") != 0) {
        return usage("the command is neither lua nor a file of it");
    }
    if (at >= count) return usage("lua needs a file or -e CODE: there is no terminal here");
    lua_State *L = new_state();
    int is_code = strcmp(words[at], "-e") == 0;
    if (is_code && ++at >= count) return usage("lua -e needs the code");
    lua_createtable(L, count - at, 0);
    for (int each = at; each < count; each++) {
        lua_pushstring(L, words[each]);
        lua_rawseti(L, -2, each - at);
    }
    lua_setglobal(L, "arg");
    lua_pushcfunction(L, with_traceback);
    int status = is_code ? luaL_loadbuffer(L, words[at], strlen(words[at]), "=(command line)") : luaL_loadfile(L, words[at]);
    if (status == LUA_OK) {
        for (int each = at + 1; each < count; each++) lua_pushstring(L, words[each]);
        status = lua_pcall(L, count - at - 1, 0, -2 - (count - at - 1));
    }
    if (status != LUA_OK) fprintf(stderr, "lua: %s\n", lua_tostring(L, -1));
    fflush(stdout);
    return status == LUA_OK ? 0 : 1;
}
