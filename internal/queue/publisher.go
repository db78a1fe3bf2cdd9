package queue

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/partition"
)

// Publisher stores updates in UPDATES. Safe for concurrent use. All on one connection share its publish window.
type Publisher struct {
	conn       *broker.Conn
	stream     string
	prefix     string // of subjects
	partitions int
	tracer     trace.Tracer
	carrier    propagation.TextMapPropagator
	metrics    publishMetrics
}

// NewPublisher publishes over conn into n partitions. reg may be nil.
func NewPublisher(conn *broker.Conn, n int, reg prometheus.Registerer) *Publisher {
	return &Publisher{
		conn: conn, stream: conn.Names().Updates(), prefix: conn.Names().UpdatesPrefix(), partitions: n,
		tracer:  otel.Tracer(scopeName),
		carrier: otel.GetTextMapPropagator(),
		metrics: newPublishMetrics(reg),
	}
}

// Publish returns nil once the broker has stored the update. After an error it may be stored as well: publish
// it again within the duplicate window. Publish waits for ctx and PublishWait of the connection at most.
func (p *Publisher) Publish(ctx context.Context, u Update) (err error) {
	ctx, span := p.tracer.Start(ctx, "queue.publish", trace.WithSpanKind(trace.SpanKindProducer))
	defer func() { endSpan(span, err) }()
	u.Partition = partition.Of(string(u.Lane), p.partitions)
	msg := &nats.Msg{Subject: broker.LaneSubject(p.prefix, u.Partition, u.Lane), Header: u.EncodeHeader(), Data: u.Data()}
	msg.Header[jetstream.MsgIDHeader] = []string{u.messageID()}
	p.carrier.Inject(ctx, Carrier(msg.Header))
	if span.IsRecording() {
		span.SetAttributes(attribute.Int("chatlane.partition", int(u.Partition)), attribute.String("chatlane.lane", string(u.Lane)))
	}
	began := time.Now()
	ack, err := p.store(ctx, msg)
	p.metrics.observe(ack, err, time.Since(began))
	if err != nil {
		return fmt.Errorf("publish update %d: %w", u.ID, named(err))
	}
	return nil
}

// Errors of Publish that callers tell apart.
var (
	ErrFull     = errors.New("the stream is full")
	ErrTooLarge = errors.New("the update is larger than a message may be")
)

func named(err error) error {
	var api *jetstream.APIError
	switch {
	case errors.As(err, &api) && api.ErrorCode == errCodeStreamFull:
		return fmt.Errorf("%w: %w", ErrFull, err)
	case errors.Is(err, nats.ErrMaxPayload):
		return fmt.Errorf("%w: %w", ErrTooLarge, err)
	}
	return err
}

func (p *Publisher) store(ctx context.Context, msg *nats.Msg) (*jetstream.PubAck, error) {
	future, err := p.conn.JetStream().PublishMsgAsync(msg, jetstream.WithExpectStream(p.stream),
		jetstream.WithRetryWait(250*time.Millisecond), jetstream.WithRetryAttempts(6))
	if err != nil {
		return nil, err
	}
	select {
	case ack := <-future.Ok():
		return ack, nil
	case err := <-future.Err():
		return nil, err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

type publishMetrics struct {
	published *prometheus.CounterVec
	wait      prometheus.Histogram
}

func newPublishMetrics(reg prometheus.Registerer) publishMetrics {
	with := promauto.With(reg)
	m := publishMetrics{
		published: with.NewCounterVec(prometheus.CounterOpts{
			Name: "chatlane_publish_total", Help: "Updates handed to the stream, by result.",
		}, []string{"result"}),
		wait: with.NewHistogram(prometheus.HistogramOpts{
			Name: "chatlane_publish_seconds", Help: "Time from publish to the broker's confirmation.",
			Buckets: prometheus.ExponentialBuckets(0.0002, 2.5, 12),
		}),
	}
	for _, r := range []string{"stored", "duplicate", "full", "timeout", "failed"} {
		m.published.WithLabelValues(r)
	}
	return m
}

func (m publishMetrics) observe(ack *jetstream.PubAck, err error, took time.Duration) {
	result := "stored"
	var api *jetstream.APIError
	switch {
	case err == nil && ack.Duplicate:
		result = "duplicate"
	case err == nil:
	case errors.As(err, &api) && api.ErrorCode == errCodeStreamFull:
		result = "full"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, jetstream.ErrAsyncPublishTimeout):
		result = "timeout"
	default:
		result = "failed"
	}
	m.published.WithLabelValues(result).Inc()
	m.wait.Observe(took.Seconds())
}

const errCodeStreamFull = 10077 // the server's JSStreamStoreFailedF: "maximum bytes exceeded"

func endSpan(span trace.Span, err error) {
	if err != nil {
		span.RecordError(err)
		span.SetStatus(codes.Error, strconv.Quote(err.Error()))
	}
	span.End()
}
