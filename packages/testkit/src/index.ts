export {
  channelSuite,
  type ChannelFixture,
  type ChannelSuiteOptions,
  type OpenedChannel,
} from './channel-suite.ts'
export { checkConvergence } from './convergence/check-convergence.ts'
export { ConvergenceError } from './convergence/convergence-error.ts'
export { type ConvergenceOptions } from './convergence/options.ts'
export { fc, type OpArbitraries } from './convergence/step-arbitrary.ts'
export { type Direction, type DiskState, type Step, type StepKind } from './convergence/step.ts'
export { playStory, type Played } from './convergence/story.ts'
export { opsText, outcomeText, stepText } from './convergence/step-text.ts'
export { crdtSuite, type CrdtSuiteOptions } from './crdt-suite.ts'
export { checkSettled } from './convergence/checkers.ts'
export { type Finding } from './convergence/finding.ts'
export { Watch } from './convergence/watch.ts'
export {
  type AcceptedCommit,
  type Attempt,
  type CommitName,
  type EntryLine,
  type Glance,
  type LocalOutcome,
  type LoggedCommit,
  type Misfit,
  type Observation,
  type ReplicaGlance,
  type Refusal,
  type ReplicaObservation,
  type StepOutcome,
  type Tried,
  type World,
} from './convergence/world.ts'
export { VirtualClock } from './virtual-clock.ts'
export { hubStoreSuite, type HubStoreSuiteOptions } from './hub-store-suite.ts'
export { type OpenedHubStore, type OpenHubStore } from './hub-store/opened.ts'
export { MapHubStore, type MapHubStoreOptions } from './map-hub-store.ts'
export { MapReplicaStore, type MapReplicaStoreOptions } from './map-replica-store.ts'
export { replicaStoreSuite, type ReplicaStoreSuiteOptions } from './replica-store-suite.ts'
export { type OpenedReplicaStore, type OpenReplicaStore } from './replica-store/opened.ts'
export { type StoreFault } from './store-fault.ts'
export { type Cannot, type TestRunner } from './suite-cases.ts'
