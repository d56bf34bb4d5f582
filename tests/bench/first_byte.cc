// The least that a started program can do to show that it runs.
#include <unistd.h>

int main() { return ::write(STDOUT_FILENO, "!", 1) == 1 ? 0 : 1; }
