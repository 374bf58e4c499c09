/** A hub in a process of its own: data folder, port. Prints its URL once it serves, and ends when its standard input does. */
import { startHub } from 'rejoin'
import { todo } from '@rejoin/examples/todo'

const [data = '', port = '0'] = process.argv.slice(2)

process.stdin.resume().on('end', () => process.exit(1))
const hub = await startHub({ data, domains: [todo], port: Number(port) })
console.log(hub.url)
