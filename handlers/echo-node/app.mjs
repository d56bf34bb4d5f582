// Answers with the event it was given.
export const handler = async (event) => event;
