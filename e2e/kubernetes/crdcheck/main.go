// Judges CustomResourceDefinitions, and objects of theirs, with the API server's own code: structural
// schema, CEL compilation and estimated cost, defaults, pruning, list sets and maps, CEL evaluation.
//
//	crdcheck CRD-FOLDER [CASES-FILE]
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/install"
	v1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	crdvalidation "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/validation/field"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"sigs.k8s.io/yaml"
)

// One object and what the API server should say of it.
type testCase struct {
	Name   string         `json:"name"`
	Object map[string]any `json:"object"`
	Old    map[string]any `json:"old,omitempty"`   // what Object replaces; absent on create
	Error  string         `json:"error,omitempty"` // part of the refusal; absent when accepted
}

// What a version of a kind is checked with.
type kind struct {
	structural *schema.Structural
	openAPI    validation.SchemaValidator
	cel        *cel.Validator
}

func load(file string, scheme *runtime.Scheme) (*apiextensions.CustomResourceDefinition, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	external := &v1.CustomResourceDefinition{}
	if err := yaml.UnmarshalStrict(text, external); err != nil {
		return nil, err
	}
	scheme.Default(external)
	crd := &apiextensions.CustomResourceDefinition{}
	if err := scheme.Convert(external, crd, nil); err != nil {
		return nil, err
	}
	for _, version := range crd.Spec.Versions {
		if version.Storage {
			crd.Status.StoredVersions = []string{version.Name}
		}
	}
	return crd, crdvalidation.ValidateCustomResourceDefinition(context.Background(), crd).ToAggregate()
}

// Internal CRDs keep a schema shared by all versions in Spec.Validation.
func addKinds(crd *apiextensions.CustomResourceDefinition, kinds map[string]kind) error {
	for _, version := range crd.Spec.Versions {
		props := crd.Spec.Validation
		if version.Schema != nil {
			props = version.Schema
		}
		structural, err := schema.NewStructural(props.OpenAPIV3Schema)
		if err != nil {
			return err
		}
		openAPI, _, err := validation.NewSchemaValidator(props.OpenAPIV3Schema)
		if err != nil {
			return err
		}
		kinds[crd.Spec.Group+"/"+version.Name+" "+crd.Spec.Names.Kind] =
			kind{structural, openAPI, cel.NewValidator(structural, true, celconfig.PerCallLimit)}
	}
	return nil
}

func (k kind) refusal(object, old map[string]any) error {
	pruning.Prune(object, k.structural, true)
	defaulting.Default(object, k.structural)
	errors := validation.ValidateCustomResource(nil, object, k.openAPI)
	errors = append(errors, listtype.ValidateListSetsAndMaps(nil, k.structural, object)...)
	if len(errors) == 0 && k.cel != nil {
		var oldObject any
		if old != nil {
			oldObject = old
		}
		broken, _ := k.cel.Validate(context.Background(), field.NewPath(""), k.structural, object, oldObject,
			celconfig.RuntimeCELCostBudget)
		errors = append(errors, broken...)
	}
	return errors.ToAggregate()
}

func runCase(c testCase, kinds map[string]kind) error {
	name := fmt.Sprint(c.Object["apiVersion"], " ", c.Object["kind"])
	k, known := kinds[name]
	if !known {
		return fmt.Errorf("no definition of %s", name)
	}
	refusal := k.refusal(c.Object, c.Old)
	switch {
	case c.Error == "" && refusal != nil:
		return fmt.Errorf("refused: %v", refusal)
	case c.Error != "" && refusal == nil:
		return fmt.Errorf("accepted, expected %q", c.Error)
	case c.Error != "" && !strings.Contains(refusal.Error(), c.Error):
		return fmt.Errorf("refused with %v, expected %q", refusal, c.Error)
	}
	return nil
}

func readCases(file string) ([]testCase, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	text, err = yaml.YAMLToJSONStrict(text)
	if err != nil {
		return nil, err
	}
	cases := []testCase{}
	return cases, json.Unmarshal(text, &cases) // whole numbers become int64, as in the API server
}

func main() {
	if len(os.Args) < 2 || len(os.Args) > 3 {
		fmt.Fprintln(os.Stderr, "usage: crdcheck CRD-FOLDER [CASES-FILE]")
		os.Exit(2)
	}
	failures := 0
	report := func(subject string, err error) {
		if err != nil {
			fmt.Printf("%s: %v\n", subject, err)
			failures++
		}
	}
	scheme := runtime.NewScheme()
	install.Install(scheme)
	kinds := map[string]kind{}
	files, _ := filepath.Glob(filepath.Join(os.Args[1], "*.yaml"))
	for _, file := range files {
		crd, err := load(file, scheme)
		if err == nil {
			err = addKinds(crd, kinds)
		}
		report(file, err)
	}
	cases := []testCase{}
	if len(os.Args) == 3 {
		var err error
		cases, err = readCases(os.Args[2])
		report(os.Args[2], err)
	}
	for _, c := range cases {
		report(c.Name, runCase(c, kinds))
	}
	fmt.Printf("%d definitions, %d cases, %d failures\n", len(files), len(cases), failures)
	if failures > 0 || len(files) == 0 {
		os.Exit(1)
	}
}
