// Uses services of the platform by HTTP, with net/http. There is no credential in this app.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/url"
	"os"
)

type credentials struct{ URL, Prefix string }

// of returns the credentials of the first bound instance of an offering.
func of(offering string) credentials {
	var services map[string][]struct{ Credentials credentials }
	if err := json.Unmarshal([]byte(os.Getenv("VCAP_SERVICES")), &services); err != nil || len(services[offering]) == 0 {
		return credentials{URL: "http://unbound"}
	}
	return services[offering][0].Credentials
}

// at says where that is.
func at(offering string) string { return of(offering).URL }

// ask sends a request to a service and returns the whole answer.
func ask(method, where string, body io.Reader) ([]byte, error) {
	request, err := http.NewRequest(method, where, body)
	if err != nil {
		return nil, err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode >= 300 {
		err = fmt.Errorf("%s: %s", answer.Status, text)
	}
	return text, err
}

type result struct {
	Rows            [][]any `json:"rows"`
	LastInsertRowid int64   `json:"last_insert_rowid"`
	Value           int64   `json:"value"`
}

func post(where string, body any) (found result, err error) {
	sent, err := json.Marshal(body)
	if err != nil {
		return found, err
	}
	text, err := ask("POST", where, bytes.NewReader(sent))
	if err != nil {
		return found, err
	}
	return found, json.Unmarshal(text, &found)
}

func query(offering, sql string, params ...any) (result, error) {
	if params == nil {
		params = []any{}
	}
	return post(at(offering)+"/v1/query", map[string]any{"sql": sql, "params": params})
}

// texts is the first column of a query's rows, as JSON.
func texts(offering, sql string) (any, error) {
	found, err := query(offering, sql)
	list := []any{}
	for _, row := range found.Rows {
		list = append(list, row[0])
	}
	text, _ := json.Marshal(list)
	return string(text), err
}

func main() {
	mux := http.NewServeMux()
	handle := func(pattern string, work func(r *http.Request) (any, error)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			answer, err := work(r)
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadGateway)
				return
			}
			fmt.Fprint(w, answer)
		})
	}
	key := func(r *http.Request) string { return at("keyvalue") + "/v1/keys/" + url.PathEscape(r.PathValue("key")) }
	handle("GET /{$}", func(r *http.Request) (any, error) { return "Hello from Go, with services\n", nil })
	handle("POST /hits", func(r *http.Request) (any, error) {
		found, err := post(at("keyvalue")+"/v1/keys/hits/increment", map[string]int{"by": 1})
		return found.Value, err
	})
	handle("PUT /keys/{key...}", func(r *http.Request) (any, error) {
		_, err := ask("PUT", key(r), r.Body)
		return "", err
	})
	handle("GET /keys/{key...}", func(r *http.Request) (any, error) {
		value, err := ask("GET", key(r), nil)
		return string(value), err
	})
	handle("POST /notes", func(r *http.Request) (any, error) {
		text, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		if _, err := query("sqlite", "CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL)"); err != nil {
			return nil, err
		}
		found, err := query("sqlite", "INSERT INTO notes (text) VALUES (?)", string(text))
		return found.LastInsertRowid, err
	})
	handle("GET /notes", func(r *http.Request) (any, error) { return texts("sqlite", "SELECT text FROM notes ORDER BY id") })
	handle("POST /orders", func(r *http.Request) (any, error) {
		text, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		if _, err := query("postgres", "CREATE TABLE IF NOT EXISTS orders (id SERIAL PRIMARY KEY, text TEXT NOT NULL)"); err != nil {
			return nil, err
		}
		found, err := query("postgres", "INSERT INTO orders (text) VALUES ($1) RETURNING id", string(text))
		if err != nil {
			return nil, err
		}
		return found.Rows[0][0], nil
	})
	handle("GET /orders", func(r *http.Request) (any, error) { return texts("postgres", "SELECT text FROM orders ORDER BY id") })
	handle("POST /visits", func(r *http.Request) (any, error) {
		found, err := post(at("redis")+"/v1/command", map[string]any{"command": []string{"INCR", of("redis").Prefix + "visits"}})
		return found.Value, err
	})
	handle("GET /motto", func(r *http.Request) (any, error) {
		value, err := ask("GET", at("config")+"/v1/values/motto", nil)
		return string(value), err
	})
	log.Fatal(http.ListenAndServe(":"+os.Getenv("PORT"), mux))
}
