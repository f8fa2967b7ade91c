// The same echo as Go's users write it: a goroutine and a buffer a connection. Compiled by the comparison: go build.
package main

import (
	"fmt"
	"net"
)

func echo(connection net.Conn) {
	defer connection.Close()
	bytes := make([]byte, 32*1024)
	for {
		length, err := connection.Read(bytes)
		if err != nil {
			return
		}
		if _, err = connection.Write(bytes[:length]); err != nil {
			return
		}
	}
}

func main() {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Printf("port %d\n", listener.Addr().(*net.TCPAddr).Port)
	for {
		connection, err := listener.Accept()
		if err == nil {
			go echo(connection)
		}
	}
}
