// pause: the first process of a pod or of a process namespace; it waits and reaps.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	c := make(chan os.Signal, 4)
	signal.Notify(c, syscall.SIGINT, syscall.SIGTERM, syscall.SIGCHLD)
	for s := range c {
		if s == syscall.SIGCHLD {
			for {
				p, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
				if p <= 0 || err != nil {
					break
				}
			}
			continue
		}
		os.Exit(0)
	}
}
