// The one translation unit with Beast's definitions (BOOST_BEAST_SEPARATE_COMPILATION).
#include <boost/beast/src.hpp>
