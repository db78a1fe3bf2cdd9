// Package deploy tests what people install: the Helm chart with Helm 3 and 4, the
// kustomize base and overlays, docker-compose.yml, the Dockerfile's promises. It is a
// module of its own, so that Helm and its dependencies are not Chatlane's.
package deploy
