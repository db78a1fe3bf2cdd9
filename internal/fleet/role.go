package fleet

// Role is a worker's role for one partition, by the plan.
type Role int

// Roles, by whether the worker asks the broker for the partition's pin.
const (
	// RoleOwner asks: the plan gives the partition to this worker, or to a silent one.
	RoleOwner Role = iota
	// RoleStandby asks too: another worker holds the partition, and this one inherits the pin.
	RoleStandby
	// RoleBystander does not ask: it could take the pin before the worker to which the partition moves.
	RoleBystander
)
