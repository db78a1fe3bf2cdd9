package redisstore

import "context"

// Version is a server's version, of any one in a cluster.
func (s *Store) Version(ctx context.Context) (string, error) {
	text, err := s.client.Info(ctx, "server").Result()
	if err != nil {
		return "", unavailable("ask for the version", err)
	}
	return parseInfo(text)["redis_version"], nil
}
