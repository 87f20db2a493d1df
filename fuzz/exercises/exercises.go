// Package exercises is what the driver does all day: random lists in every way,
// generated sets and mutations of them, tables of chains, small worlds, cells,
// relations, histories of edits, formats, and the bytes of packets; and the same of
// a user's own rules.
//
//	exercises.go  all of them
//	reach.go      which kinds of nodes and paths a list leads to
//	draw.go       lists and packets, half of which are misses
//	lists.go      random lists; sets.go generated ones, and their cells
//	tables.go     chains; chains.go worlds, relations and edits of them
//	worlds.go     small worlds; relations.go relations; histories.go edits
//	texts.go      formats; packets.go the decoder; analysis.go what is hidden;
//	policies.go   comparisons, queries and findings
//	own.go        a user's own rules; kernel.go the running kernel
package exercises

import (
	"errors"

	"github.com/hipac-go/classifier/fuzz/cases"
	"github.com/hipac-go/classifier/fuzz/compare"
	"github.com/hipac-go/classifier/fuzz/drive"
	"github.com/hipac-go/classifier/fuzz/ways"
	"github.com/hipac-go/classifier/rules"
)

// All returns all exercises that need nothing but the library.
func All() []*drive.Exercise {
	var all []*drive.Exercise
	for _, part := range [][]*drive.Exercise{lists(), sets(), cells(), tables(), chainWorlds(), chainRelations(), worlds(), relationsHold(), edits(), texts(), packets(), analyses(), policies(), textbooks()} {
		all = append(all, part...)
	}
	return all
}

// listFailure returns a difference about a list with the case that it is of.
func listFailure(err error, l *rules.List[int], keys []uint32, all []ways.Way) error {
	if err == nil {
		return nil
	}
	f := &drive.Failure{Err: err}
	c := &cases.List{Rules: l, Keys: keys, Ways: all}
	var d *compare.Difference
	if errors.As(err, &d) {
		for _, w := range all {
			if w.Name == d.Engine {
				c.Ways = []ways.Way{w}
			}
		}
	}
	f.Case = c
	return f
}
