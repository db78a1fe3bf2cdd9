# Images of Chatlane, static and non-root:
#
#   docker build --target ingress  -t chatlane/ingress  .
#   docker build --target worker   -t chatlane/worker   .
#   docker build --target chatlane -t chatlane/chatlane .
#
# A worker with a bot of your own builds from the same file. WORKER is the folder of its
# main package, in this module or in one of its own:
#
#   docker build --target worker --build-arg WORKER=./examples/pizza -t pizza .
#
# For several platforms: --platform linux/amd64,linux/arm64. The compiler runs on the builder's
# own platform and cross-compiles. Set SOURCE_DATE_EPOCH for equal images from equal sources.
# Without a network: --build-context modules=DIR, with DIR as `go env GOMODCACHE` prints it.

ARG GO_IMAGE=docker.io/library/golang:1.26
ARG BASE_IMAGE=gcr.io/distroless/static-debian12:nonroot

FROM --platform=$BUILDPLATFORM ${GO_IMAGE} AS download
ARG WORKER=./cmd/worker
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/cache \
    GOMODCACHE=/cache go mod download && \
    GOMODCACHE=/cache go -C "${WORKER}" mod download && \
    cp -a /cache /modules

FROM scratch AS modules
COPY --from=download /modules /

FROM --platform=$BUILDPLATFORM ${GO_IMAGE} AS build
ARG TARGETOS=linux
ARG TARGETARCH=amd64
ENV CGO_ENABLED=0 GOPROXY=off GOFLAGS="-trimpath -buildvcs=false -tags=stdjson" GOOS=${TARGETOS} GOARCH=${TARGETARCH}
WORKDIR /src
COPY . .

FROM build AS build-ingress
ARG VERSION=dev
RUN --mount=type=bind,from=modules,target=/go/pkg/mod,rw --mount=type=cache,target=/root/.cache/go-build \
    go build -ldflags "-s -w -buildid= -X github.com/chatlane/chatlane/internal/config.release=${VERSION}" -o /out/ingress ./cmd/ingress

FROM build AS build-worker
ARG VERSION=dev
ARG WORKER=./cmd/worker
RUN --mount=type=bind,from=modules,target=/go/pkg/mod,rw --mount=type=cache,target=/root/.cache/go-build \
    go build -C "${WORKER}" -ldflags "-s -w -buildid= -X github.com/chatlane/chatlane/internal/config.release=${VERSION}" -o /out/worker .

FROM build AS build-chatlane
ARG VERSION=dev
RUN --mount=type=bind,from=modules,target=/go/pkg/mod,rw --mount=type=cache,target=/root/.cache/go-build \
    go build -ldflags "-s -w -buildid= -X github.com/chatlane/chatlane/internal/config.release=${VERSION}" -o /out/chatlane ./cmd/chatlane

FROM ${BASE_IMAGE} AS base
ARG VERSION=dev
ARG REVISION=unknown
LABEL org.opencontainers.image.source="https://github.com/chatlane/chatlane" \
      org.opencontainers.image.documentation="https://github.com/chatlane/chatlane/tree/main/docs" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.vendor="Chatlane" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
USER 65532:65532
EXPOSE 9090

FROM base AS ingress
LABEL org.opencontainers.image.title="chatlane-ingress" \
      org.opencontainers.image.description="Stores Telegram's webhook requests in NATS JetStream"
COPY --from=build-ingress /out/ingress /ingress
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s CMD ["/ingress", "health"]
ENTRYPOINT ["/ingress"]

FROM base AS worker
LABEL org.opencontainers.image.title="chatlane-worker" \
      org.opencontainers.image.description="Answers Telegram updates from NATS JetStream"
COPY --from=build-worker /out/worker /worker
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s CMD ["/worker", "health"]
ENTRYPOINT ["/worker"]

FROM base AS chatlane
LABEL org.opencontainers.image.title="chatlane" \
      org.opencontainers.image.description="The operator's tool of Chatlane"
COPY --from=build-chatlane /out/chatlane /chatlane
ENTRYPOINT ["/chatlane"]
