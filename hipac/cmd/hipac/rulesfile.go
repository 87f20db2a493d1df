package main

// Rule files: reading the one that flags name, and compiling it, or taking what
// was compiled when the file has it. Package rules/files knows the formats.

import (
	"context"
	"errors"
	"fmt"

	"github.com/hipac-go/classifier/hipac"
	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/files"
	"github.com/hipac-go/classifier/rules/saved"
)

// readRules reads the rule file that the flags name.
func (a *app) readRules(f *files.RuleFlags) (*files.Rules, error) {
	r, name, closeFile, err := files.Open(f.Rules, a.stdin)
	if err != nil {
		return nil, err
	}
	return within(a.ctx, func() (*files.Rules, error) {
		defer closeFile()
		return files.ReadRules(r, name, f)
	})
}

// tell says on stderr what of a file the rules leave out.
func (a *app) tell(file *files.Rules) {
	for i, note := range file.Notes {
		if i == maxWarnings && len(file.Notes) > maxWarnings {
			a.complain(fmt.Errorf("%s: %d more are left out", file.Name, len(file.Notes)-i))
			return
		}
		a.complain(errors.New(note))
	}
}

// buildList compiles the list of a file, whose values have the codec.
func buildList[T any](ctx context.Context, file *files.Rules, l *rules.List[T], codec saved.Codec[T], e engine) (*hipac.Classifier[T], error) {
	if file.Compiled != nil && e == engineTree {
		return hipac.LoadBytes(file.Compiled, codec, &hipac.LoadOptions{Schema: l.Schema()})
	}
	opts := e.options()
	if e == engineIndex {
		opts.FirstMatchOnly = false
	}
	return hipac.Build(ctx, l, opts)
}

// buildTables compiles tables of a file.
func buildTables(ctx context.Context, file *files.Rules, tables []*rules.Table, opts *hipac.Options) (*hipac.Tables, error) {
	if file.Compiled != nil && (opts == nil || opts.Engine == hipac.Tree) {
		f, err := saved.Parse(file.Compiled)
		if err != nil {
			return nil, err
		}
		// A version of this program that reads rules otherwise compiles them again.
		if c, err := hipac.LoadTables(f, tables); !errors.Is(err, saved.ErrOther) {
			return c, err
		}
	}
	return hipac.BuildTables(ctx, tables, opts)
}
