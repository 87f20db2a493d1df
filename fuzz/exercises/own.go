package exercises

// A user's own rules: packets aimed at them in every way, cells, relations between
// parts of them, and edits.

import (
	"context"

	"github.com/hipac-go/classifier/fuzz/drive"
	"github.com/hipac-go/classifier/rules/files"
)

// Own returns the exercises about a user's own rules.
func Own(ctx context.Context, set *files.Rules) ([]*drive.Exercise, error) { return nil, nil }
