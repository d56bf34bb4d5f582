module web-nethttp-go

go 1.18
