/** What a simulated world has come to so far. */
export interface WorldCounts {
  steps: number
  commitsAccepted: number
  commitsLogged: number
  acksChecked: number
  recordsChecked: number
  /** Conditions that were looked at. */
  oracles: number
  parcels: number
  simulatedMs: number
  /** Faults that did something, by kind. */
  readonly faults: Record<string, number>
}

export function noCounts(): WorldCounts {
  return {
    steps: 0,
    commitsAccepted: 0,
    commitsLogged: 0,
    acksChecked: 0,
    recordsChecked: 0,
    oracles: 0,
    parcels: 0,
    simulatedMs: 0,
    faults: {},
  }
}
