// Starts the document worker from source, where Node cannot read TypeScript in a thread by itself (before 22.18). What is
// built and published starts without it.
import { workerData } from 'node:worker_threads'
import { register } from 'tsx/esm/api'

register()
await import(workerData.entry)
