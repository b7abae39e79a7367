// An arena destroys its objects itself: one that is destroyed before would be destroyed twice.
// expect: destroy
#include <string>

#include <heapwright/alloc/arena/arena.hpp>
#include <heapwright/own/cell/branded.hpp>

using Texts = heapwright::Branded<heapwright::Arena, heapwright::Brand<struct TextsTag>>;
void end(Texts& texts, Texts::Ptr<std::string> text) {
#ifdef HEAPWRIGHT_CONTROL
    texts[text].clear();
#else
    texts.destroy(text);
#endif
}
