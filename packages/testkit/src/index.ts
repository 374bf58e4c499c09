export {
  channelSuite,
  type ChannelFixture,
  type ChannelSuiteOptions,
  type OpenedChannel,
} from './channel-suite.ts'
export {
  checkConvergence,
  ConvergenceError,
  type ConvergenceOptions,
} from './convergence/check-convergence.ts'
export { fc, type OpArbitraries } from './convergence/step-arbitrary.ts'
export { type Direction, type DiskState, type Step, type StepKind } from './convergence/step.ts'
export { playStory, type Played } from './convergence/story.ts'
export { outcomeText, stepText } from './convergence/step-text.ts'
export { crdtSuite, type CrdtSuiteOptions } from './crdt-suite.ts'
export { checkSettled } from './convergence/checkers.ts'
export { type Finding } from './convergence/finding.ts'
export { Watch } from './convergence/watch.ts'
export {
  type AcceptedCommit,
  type CommitName,
  type EntryLine,
  type Glance,
  type LocalOutcome,
  type LoggedCommit,
  type Observation,
  type ReplicaGlance,
  type ReplicaObservation,
  type StepOutcome,
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
