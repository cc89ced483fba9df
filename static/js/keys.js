// Whether a key belongs to an input method, which composes Japanese, Chinese or Korean text. Safari
// ends the composition before the Enter that ends it, and marks that key with the code 229 only.
export const isComposing = (event) => event.isComposing || event.keyCode === 229;
