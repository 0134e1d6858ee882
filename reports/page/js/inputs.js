/* What the auditor brings: the bundle, the key that they hold, a pin, a grant. Told apart by their bytes. */

const MAX_INPUT = 32 * 2 ** 20;

/** What a dropped file is: { bundle | pin | grant | key }. Throws UsageError. */
async function recognised(file) {
  const start = new Uint8Array(await file.slice(0, 64).arrayBuffer());
  if (startsWith(start, new Uint8Array([0x50, 0x4b])) || /\.zip$/i.test(file.name)) return { bundle: file };
  if (file.size > MAX_INPUT) throw new UsageError(`${shortly(file.name, 80)} is neither a bundle nor a key, pin or grant.`);
  const data = new Uint8Array(await file.arrayBuffer());
  if (startsWith(data, bytesOf("evidence/grant/1\n"))) return { grant: data };
  if (startsWith(data, bytesOf("{"))) return { pin: await parsePin(data) };
  try {
    return { key: parseKey(textOf(data)) };
  } catch {
    throw new UsageError(`${shortly(file.name, 80)} is neither a bundle nor a key, pin or grant.`);
  }
}

function wireInputs(take, say) {
  const takeAll = async (files) => {
    try {
      for (const file of files) await take(await recognised(file));
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      say(error.message, true);
    }
  };
  const useKey = async () => {
    try {
      await take({ key: parseKey(byId("key").value) });
      byId("key").value = "";
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      say(error.message, true);
    }
  };
  byId("use-key").addEventListener("click", useKey);
  byId("key").addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    useKey();
  });
  byId("file").addEventListener("change", (event) => {
    const files = [...event.target.files];
    event.target.value = ""; // the same file can be chosen again
    takeAll(files);
  });
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    document.body.classList.add("dropping");
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) document.body.classList.remove("dropping");
  });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    document.body.classList.remove("dropping");
    takeAll([...event.dataTransfer.files]);
  });
}
