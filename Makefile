# `make help` lists the targets. `make check` is what CI runs.
.DEFAULT_GOAL := help
.PHONY: manifests cluster-test help build test race lint fmt fuzz bench long whole up down docs check

FUZZTIME ?= 20s
BENCH ?= .
COUNT ?= 6

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## static binaries of ingress, worker and chatlane in bin/
	CGO_ENABLED=0 go build -trimpath -tags stdjson -o bin/ ./cmd/...

test: ## the tests that need nothing but Go; some use redis-server if it is there
	go test ./...

long: ## the suites that take minutes: faults in short form, bots of other frameworks (redis-server, node)
	.ci/run faults

whole: ## the fault suite at full length, about 20 minutes
	go test -timeout 90m -v ./test/fault -args -whole

race: ## tests with the race detector, shuffled, and random lives of workers
	.ci/run race model

lint: ## golangci-lint, at the version of .golangci-version
	.ci/run lint

fmt: ## format all Go files
	golangci-lint fmt ./...
	cd examples && golangci-lint fmt ./...

fuzz: ## each fuzz target for FUZZTIME (20s)
	FUZZTIME=$(FUZZTIME) .ci/run fuzz

bench: ## benchmarks, COUNT (6) runs of BENCH (.), in the form that benchstat reads
	go test -run '^$$' -bench '$(BENCH)' -benchmem -count $(COUNT) ./internal/... ./bot/...

up: ## the whole service in containers, in the background
	docker compose up --build --detach --wait

down: ## stop the containers and drop their data
	docker compose down --volumes

manifests: ## write what is generated from the Helm chart: kustomize base, copies, README of its values
	go -C test/deploy test ./... -update

cluster-test: ## the chart and its operations on the cluster of KUBECONFIG, about half an hour; see CONTRIBUTING.md
	go -C test/cluster test -count=1 -timeout 90m -v ./...

docs: ## hold docs/ to the code: links, names of tests, metrics, exported names
	go test -count=1 ./test

check: ## everything that must pass before a change lands (CI runs the same)
	.ci/run

