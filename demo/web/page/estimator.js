/* A worker: runs the estimator, thumbnail to grid, so that the page never waits for it. */

const ENGINES = {
  webgpu: { module: "ort.jspi.bundle.min.mjs", wasm: "ort-wasm-simd-threaded.jspi.wasm" },
  wasm: { module: "ort.wasm.bundle.min.mjs", wasm: "ort-wasm-simd-threaded.wasm" },
};
const MAXIMUM_THREADS = 4;

let ort, session;

/** Whether a real GPU can run the network; a software adapter takes seconds where wasm takes 50 ms. */
async function hasGpu() {
  if (!navigator.gpu || !WebAssembly.Suspending) return false; // the WebGPU build needs JSPI
  const adapter = await navigator.gpu.requestAdapter();
  return Boolean(adapter) && !(adapter.info ?? adapter).isFallbackAdapter;
}

/** Opens the model with one engine; returns what runs it, in words. */
async function openWith(engine, model) {
  const { module, wasm } = ENGINES[engine];
  ort = await import(`./ort/${module}`);
  // Threads need SharedArrayBuffer, which a page has only with the two headers of the README.
  const cores = Math.min(MAXIMUM_THREADS, navigator.hardwareConcurrency ?? 1);
  const threads = engine === "wasm" && crossOriginIsolated ? cores : 1;
  ort.env.wasm.numThreads = threads;
  ort.env.wasm.wasmPaths = { wasm: new URL(`ort/${wasm}`, import.meta.url).href };
  const options = { executionProviders: [engine], logSeverityLevel: 3 }; // errors only
  session = await ort.InferenceSession.create(model, options);
  // The first run compiles kernels, and tells here whether they work.
  await estimate({ values: new Float32Array(3 * 16 * 16), rows: 16, columns: 16 });
  if (engine === "webgpu") return "WebGPU";
  return `wasm, ${threads === 1 ? "1 thread" : `${threads} threads`}`;
}

/** @param wanted `webgpu`, `wasm`, or nothing for the faster one that there is. */
async function open(wanted) {
  const answer = await fetch(new URL("model/estimator.onnx", import.meta.url));
  if (!answer.ok) throw new Error(`model/estimator.onnx: ${answer.status} ${answer.statusText}`);
  const model = new Uint8Array(await answer.arrayBuffer());
  if (wanted) return openWith(wanted, model);
  if (!(await hasGpu())) return openWith("wasm", model);
  try {
    return await openWith("webgpu", model);
  } catch (error) {
    return `${await openWith("wasm", model)} (WebGPU failed: ${error.message})`;
  }
}

async function estimate({ values, rows, columns }) {
  const began = performance.now();
  const thumbnail = new ort.Tensor("float32", values, [1, 3, rows, columns]);
  const { grid } = await session.run({ thumbnail });
  const [, gridRows, gridColumns, channels] = grid.dims;
  const data = await grid.getData();
  const milliseconds = performance.now() - began;
  return { values: data, rows: gridRows, columns: gridColumns, channels, milliseconds };
}

addEventListener("message", async ({ data }) => {
  try {
    postMessage({ result: await (data.open ? open(data.engine) : estimate(data.thumbnail)) });
  } catch (error) {
    postMessage({ error: error.message });
  }
});
