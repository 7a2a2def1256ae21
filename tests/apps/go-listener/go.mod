module example.com/go-listener

go 1.24
