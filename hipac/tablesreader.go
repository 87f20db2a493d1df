package hipac

// Readers of live tables that count.

import "github.com/hipac-go/classifier/hipac/internal/counters"

// counting counts what is executed for a packet.
type counting struct {
	shard *counters.Shard
	bytes uint64
}

func (c *counting) count(number uint32) { c.shard.Count(number, c.bytes) }
