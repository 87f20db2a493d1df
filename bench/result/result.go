// Package result is what measurements come to: a table in long form, one value a
// row, in a JSON file that commands write with --json and that "bench report"
// draws. Runs of different commands can be put together.
package result

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Run is what one or more commands have measured on one machine. Fields that may
// be left out are missing in files of earlier programs, too; readers do not take
// that for 0.
type Run struct {
	Format   int       `json:"format"` // 1
	Machine  Machine   `json:"machine"`
	Commands []string  `json:"commands"` // that make it again
	Settings *Settings `json:"settings,omitempty"`
	Engines  []Engine  `json:"engines,omitempty"` // that were to be measured, each once
	Points   []Point   `json:"points"`
	Missing  []Gap     `json:"missing,omitempty"`
}

// Settings is what figures depend on beside machine, rules and program. How many
// packets and edits a figure is of, its point says.
type Settings struct {
	Seed    uint64 `json:"seed"`              // of rules and packets
	Family  string `json:"family,omitempty"`  // of addresses: "IPv4" or "IPv6"; "" for rules of a file
	Packets int    `json:"packets,omitempty"` // of each traffic, repeated ones counted
	Clock   string `json:"clock,omitempty"`   // what CPU times are: "thread CPU time" or "wall-clock time"
	// Timeout is the CPU time that a build may take, and Memory the bytes that a
	// contestant may take where the machine has three times as much available.
	Timeout float64 `json:"timeout_seconds,omitempty"`
	Memory  int64   `json:"memory_bytes,omitempty"`
}

// Engine is what is known of a contestant.
type Engine struct {
	Name   string `json:"name"` // as in Point.Engine
	Title  string `json:"title,omitempty"`
	Source string `json:"source,omitempty"` // the paper, or the project and its version
	Note   string `json:"note,omitempty"`   // how it is used here, and what it cannot do
}

// Machine is where it was measured.
type Machine struct {
	CPU     string `json:"cpu"`
	Cores   int    `json:"cores"`
	Memory  int64  `json:"memory_bytes"`
	OS      string `json:"os"` // with the kernel's release
	Go      string `json:"go"`
	Commit  string `json:"commit"` // of this project, "+" behind it when files were changed; "" unknown
	Started string `json:"started"`
	// Load is the mean number of tasks that were ready to run in the minute
	// before; nil where the system does not tell.
	Load *float64 `json:"load_average,omitempty"`
}

// Point is one value, a median where there were several. Commands and metrics:
//
//	lookup   lookup, lookup_zipf, lookup_misses, lookup_worst: ns, by the traffic;
//	         lookup is packets inside random rules
//	build    build_cpu (of all threads), build_wall: s; Cores is the number of
//	         workers where that was chosen
//	memory   bytes: bytes; bytes_per_rule: bytes/rule
//	scale    lookup, build_cpu, build_wall, bytes and bytes_per_rule again, of one
//	         set at many sizes; throughput: lookups/s of Cores goroutines,
//	         throughput_cpu: the same by the CPU time of each
//	update   insert_p50, insert_p99, insert_max, delete_p50, delete_p99,
//	         delete_max, rebuild: us of the clock; edits: edits/s; slowdown_during,
//	         slowdown_after, growth_after: ratio. Of "hipac-live", by bench update.
//	         insert_cpu_p50, insert_cpu_p99 and so on: us of CPU, of any engine
//	         that can be edited, without lookups in between, less what the
//	         clock takes: 0 where an edit takes no more than that varies
//	iptables load, of ours also load_read and load_build: s of the clock;
//	         packet: ns of CPU to send a packet past the rules; packet_walk: what
//	         the rules add to it, and our verdict. By bench iptables
type Point struct {
	Command string  `json:"command"` // lookup, build, memory, scale, update, iptables
	Engine  string  `json:"engine"`  // a contestant's name, or a path of ours
	Title   string  `json:"title,omitempty"`
	Set     string  `json:"set"`             // family or file
	Rules   int     `json:"rules"`           // that the set has
	Cores   int     `json:"cores,omitempty"` // that looked up at once, where that varies
	Metric  string  `json:"metric"`          // such as "lookup", "insert_p99"
	Unit    string  `json:"unit"`            // ns, us, ms, s, bytes, bytes/rule, lookups/s, edits/s, ratio
	Value   float64 `json:"value"`
	Low     float64 `json:"low,omitempty"` // quartiles of the rounds, where there were several
	High    float64 `json:"high,omitempty"`
	Rounds  int     `json:"rounds,omitempty"`
	// Packets that a lookup's figure is of, by turns, and how many of them are
	// different: few stay in caches.
	Packets   int `json:"packets,omitempty"`
	Different int `json:"different_packets,omitempty"`
	// Edits of its kind that a quantile is of.
	Edits int `json:"edits,omitempty"`
}

// Gap is what was not measured, and why: a peer that is not there, rules that it
// cannot say, memory or time that ran out, an answer that was wrong.
type Gap struct {
	Command string `json:"command"`
	Engine  string `json:"engine"`
	Set     string `json:"set,omitempty"`
	Rules   int    `json:"rules,omitempty"`
	Why     string `json:"why"`
}

// Write writes the run as JSON.
func (r *Run) Write(w io.Writer) error {
	r.Format = 1
	e := json.NewEncoder(w)
	e.SetIndent("", " ")
	return e.Encode(r)
}

// Read reads a run that Write has written.
func Read(r io.Reader) (*Run, error) {
	var out Run
	if err := json.NewDecoder(r).Decode(&out); err != nil {
		return nil, fmt.Errorf("not the JSON of results: %w", err)
	}
	if out.Format == 0 {
		return nil, errors.New(`JSON without a "format"`)
	}
	if out.Format != 1 {
		return nil, fmt.Errorf("results of format %d: this program reads format 1", out.Format)
	}
	return &out, nil
}
