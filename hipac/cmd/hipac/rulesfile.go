package main

// Rule files: reading the one that flags name. Package rules/files knows the
// formats.

import "github.com/hipac-go/classifier/rules/files"

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
