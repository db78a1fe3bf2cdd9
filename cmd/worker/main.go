// Command worker runs the bundled bot against NATS and Redis.
package main

import (
	"github.com/chatlane/chatlane/internal/handlers"
	"github.com/chatlane/chatlane/worker"
)

func main() { worker.Main(handlers.New()) }
