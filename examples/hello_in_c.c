/* Asks a model one thing and prints its answer, in C. */
#include <ovenbird/ovenbird.h>
#include <stdio.h>

static int failed(void) {
  fprintf(stderr, "%s\n", ovenbird_last_error());
  return 1;
}

int main(int argc, char** argv) {
  if (argc != 2) return fprintf(stderr, "usage: hello_in_c BUNDLE\n"), 2;

  ovenbird_client* client = NULL;
  if (ovenbird_start(argv[1], NULL, &client)) return failed();

  const ovenbird_message message = {"user", "Who sings over the warm bread?"};
  int32_t* prompt = NULL;
  size_t count = 0;
  if (ovenbird_chat(client, &message, 1, NULL, &prompt, &count)) return failed();

  ovenbird_session* session = NULL;
  if (ovenbird_open(client, NULL, &session)) return failed();
  if (ovenbird_set_conversation(session, prompt, count)) return failed();
  ovenbird_free(prompt);

  ovenbird_generate_options options = OVENBIRD_INIT(options);
  options.tokens_max = 40;
  if (ovenbird_generate(session, &options)) return failed();

  ovenbird_piece piece = OVENBIRD_INIT(piece);
  while (!piece.is_over) {
    if (ovenbird_next(session, -1, &piece)) return failed();
    fputs(piece.text, stdout);
  }
  putchar('\n');
  ovenbird_session_close(session);
  ovenbird_close(client);
  return 0;
}
