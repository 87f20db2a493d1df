package connections

// The memory of queues. Most of the time most connections have a packet or two
// in theirs, and a flight now and then: an array goes back when its queue has
// been played, or has outgrown it, and the next queue that needs one of its size
// takes it.

import "slices"

// queueSizes are the sizes of arrays, in events of 40 bytes. They are close to
// each other where the queues of one flight of a window of 10 packets are.
// Larger arrays are not kept.
var queueSizes = [...]int{1, 2, 4, 6, 8, 10, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256}

// queues keeps arrays that no connection uses, by size.
type queues [len(queueSizes)][][]event

// grow returns the queue in a larger array, and keeps the one that it was in.
func (q *queues) grow(queue []event) []event {
	class, found := slices.BinarySearch(queueSizes[:], len(queue)+1)
	if !found && class == len(queueSizes) {
		larger := slices.Grow(queue, 1)
		q.keep(queue)
		return larger
	}
	var larger []event
	if free := q[class]; len(free) > 0 {
		larger, q[class] = free[len(free)-1], free[:len(free)-1]
	} else {
		larger = make([]event, 0, queueSizes[class])
	}
	larger = append(larger, queue...)
	q.keep(queue)
	return larger
}

// keep takes back the array of a queue.
func (q *queues) keep(queue []event) {
	if class, found := slices.BinarySearch(queueSizes[:], cap(queue)); found {
		q[class] = append(q[class], queue[:0])
	}
}
