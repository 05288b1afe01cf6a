// Runs the `main` of a bare WebAssembly module. It fails by a panic, which is a trap here.
import { readFile } from "node:fs/promises";

const { instance } = await WebAssembly.instantiate(await readFile(process.argv[2]), {});
process.exitCode = instance.exports.main(0, 0);
