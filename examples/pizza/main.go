// Command pizza is a worker with a bot of its own: this file is all that it takes.
package main

import "github.com/chatlane/chatlane/worker"

func main() {
	worker.Main(pizzeria(onPaper))
}
