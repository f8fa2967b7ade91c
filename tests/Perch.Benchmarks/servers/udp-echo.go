// The same echo as Go's users write it: one goroutine, one datagram a call. Compiled by the comparison: go build.
package main

import (
	"fmt"
	"net"
)

func main() {
	socket, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		panic(err)
	}
	socket.SetReadBuffer(1 << 20)
	fmt.Printf("port %d\n", socket.LocalAddr().(*net.UDPAddr).Port)
	bytes := make([]byte, 65535)
	for {
		length, peer, err := socket.ReadFromUDPAddrPort(bytes)
		if err == nil {
			socket.WriteToUDPAddrPort(bytes[:length], peer)
		}
	}
}
