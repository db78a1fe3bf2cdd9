// Package cluster tries the chart and the manifests on a real Kubernetes: installs, upgrades and
// operations under load. Its tests take any cluster, by KUBECONFIG, and are skipped without one.
//
// They work in namespaces of their own, chatlane-test-..., which end with the test. The cluster
// must have the images, by the name that the chart gives them or that these variables give:
//
//	CHATLANE_TEST_REGISTRY     before ingress, worker and chatlane; unset: the chart's
//	CHATLANE_TEST_TAG          of these images; unset: the chart's version
//	CHATLANE_TEST_OTHER_TAG    of another build, to upgrade to; unset: the same
//	CHATLANE_TEST_NATS_IMAGE   of the quickstart; unset: the chart's
//	CHATLANE_TEST_REDIS_IMAGE  likewise
//	CHATLANE_TEST_HOST         address of this machine as pods reach it; unset: as the API server does
//
// Under load, the simulated Telegram runs on this machine: pods reach it, and it reaches the
// address of a Service, or else a node's port.
package cluster
