# The usual tasks. `make one T=RecordQueueTests` runs one test class.
.PHONY: help build test one bench run image

help:
	@grep -E '^[a-z]+:.*##' Makefile | sed 's/:.*## /\t/'

build: ## builds everything
	dotnet build

test: ## runs all tests
	dotnet test

one: ## runs the tests whose name contains T
	dotnet test --filter "FullyQualifiedName~$(T)"

bench: ## compares the processor time of a message with a C server
	dotnet run -c Release --project tests/Perch.Benchmarks -- transport

run: ## runs the server with appsettings.json
	dotnet run -c Release --project src/Perch.Server

image: ## builds the container image
	docker compose build
