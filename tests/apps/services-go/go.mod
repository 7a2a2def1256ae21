module example.com/services-go

go 1.25
