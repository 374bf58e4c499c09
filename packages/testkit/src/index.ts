export {
  channelSuite,
  type ChannelFixture,
  type ChannelSuiteOptions,
  type OpenedChannel,
} from './channel-suite.ts'
export {
  checkConvergence,
  runStory,
  stepText,
  type ConvergenceOptions,
  type OpArbitraries,
  type Step,
} from './convergence/check-convergence.ts'
export { crdtSuite, type CrdtSuiteOptions } from './crdt-suite.ts'
export { checkSettled, type Finding } from './convergence/checkers.ts'
export {
  type ApplyOutcome,
  type Observation,
  type ReplicaObservation,
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
